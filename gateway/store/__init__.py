"""Where is it kept? SQLAlchemy Core on SQLite and PostgreSQL; one file per room it serves, and the only SQL of the house."""
