"""The queue of decisions that a person makes: claimed by one, decided with reasons, above an amount by two."""
