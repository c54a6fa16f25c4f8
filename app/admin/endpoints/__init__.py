"""What the dashboard's page asks for, one file per question."""
