"""What moves the answer: knobs, sensitivity, uncertainty, a projection."""
