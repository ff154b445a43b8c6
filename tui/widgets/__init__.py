"""Parts of the screens: they draw lines of the views and turn keys and clicks into changes of the store."""
