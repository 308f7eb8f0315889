"""What the box costs by the hour and can hold: purchase, memory, plausible rates."""
