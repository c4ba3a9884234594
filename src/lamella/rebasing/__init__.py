"""An image over another base: its new config, and what its layers hide, delete or inherit there."""
