"""What is put behind the gateway to try it."""
