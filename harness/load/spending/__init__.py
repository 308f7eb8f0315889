"""What a load may spend at an API: prices, the worst a request can cost, the purse, the API's rate limits. No I/O."""
