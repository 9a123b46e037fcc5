"""Results as pictures, and one page that holds them: `figures` make pictures of arrays, `build` makes the page."""
