"""What a day's meetings leave of the day."""
