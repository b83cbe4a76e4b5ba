"""Parts of the pages about audiences and computed traits."""
