/** Something under way that ends before its time when its servers stop. */
export interface ServedWork {
  readonly kind: 'experiment' | 'evaluation' | 'run';
  readonly id: string;
}
