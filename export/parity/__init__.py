"""Two ways to compute one bundle's scores, set side by side: the first layer where they part, and the verdicts that
flip."""
