"""What runs on a rented box: the standard library of Python 3.8 alone, sent there as one file."""
