"""How wrong this client is on this machine, and the sentence that a report quotes of it."""
