"""The pages for people: each route reads, makes a view and renders it."""
