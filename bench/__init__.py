"""How fast the gateway is, next to a gateway whose decisions are free. See README.md here."""
