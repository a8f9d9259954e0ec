"""What is told of calls: facts on the record, figures, spans and, where wanted, their words."""
