"""When requests leave: users, arrivals, ramps, traces."""
