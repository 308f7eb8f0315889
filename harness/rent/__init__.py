"""A box is rented, measured on and gone again: the plan, the driver, and who makes boxes."""
