"""What it costs: arms, bill, tokens, doubt."""
