"""What the page about identity rules is made of."""
