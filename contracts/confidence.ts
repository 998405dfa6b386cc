/** The two-sided 95% quantile of the normal distribution: all intervals that are reported are of this level. */
export const Z_95 = 1.959963984540054;
