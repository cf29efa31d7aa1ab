"""Two sides of stored results compared: what each is, what pairs with what, and what else differs."""
