"""What people and programs ask of cases, and what they are told."""
