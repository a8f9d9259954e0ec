"""What calls cost and may cost: prices, estimates, budgets and limits."""
