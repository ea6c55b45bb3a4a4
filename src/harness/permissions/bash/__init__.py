"""Reading bash command lines. Importing this loads nothing heavy; `parse` does."""
