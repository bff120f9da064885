"""What people change, from pages and as JSON alike: each change with its row of the audit log, or neither."""
