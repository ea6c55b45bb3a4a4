"""What may forbid the next request: limits the person set, and work that goes round in circles."""
