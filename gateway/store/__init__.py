"""Where is it kept? SQLAlchemy Core on SQLite and PostgreSQL, a folder for each room it serves; the only SQL there is."""
