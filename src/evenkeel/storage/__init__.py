"""The record: the database, its migrations, the journal and the Parquet lake of one workspace."""
