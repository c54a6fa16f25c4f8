"""The dashboard: `/admin/` on the ops listener. What it shows it reads with an own account."""
