"""What do people see in a browser? Pages of views and forms of acts, for the operator's people and partners' engineers."""
