"""The console: pages in which a person looks at what runs in this localaws."""
