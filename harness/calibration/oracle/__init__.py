"""A server whose answers are known to the token and the microsecond, and how a client is judged by it."""
