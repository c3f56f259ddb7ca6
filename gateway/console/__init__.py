"""The console at /console: pages of views, forms of acts, for the people of the house and the engineers of partners."""
