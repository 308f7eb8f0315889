"""What runs on a rented box: standard library only, Python 3.8 and up; sent there as one zipapp."""
