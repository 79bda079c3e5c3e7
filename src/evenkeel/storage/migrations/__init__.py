"""Every change of the database's shape, in order. They only add: a revision that has shipped is never edited."""
