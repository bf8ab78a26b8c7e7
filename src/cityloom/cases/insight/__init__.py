"""What looks at cases from outside: pure pieces, values in and values out."""
