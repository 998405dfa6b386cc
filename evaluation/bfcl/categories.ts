/** BFCL's single-turn categories, as its fourth version names them. */
export const BFCL_CATEGORIES = [
  'simple_python',
  'simple_java',
  'simple_javascript',
  'multiple',
  'parallel',
  'parallel_multiple',
  'irrelevance',
  'live_simple',
  'live_multiple',
  'live_parallel',
  'live_parallel_multiple',
  'live_irrelevance',
  'live_relevance',
] as const;

export type BfclCategory = (typeof BFCL_CATEGORIES)[number];

/** In which the functions of a category are written. */
export type BfclLanguage = 'python' | 'java' | 'javascript';

export function languageOf(category: BfclCategory): BfclLanguage {
  if (category === 'simple_java') return 'java';
  return category === 'simple_javascript' ? 'javascript' : 'python';
}

/** Names of a category's file of questions, without folder: version 4's, then version 3's. */
export function questionFiles(category: BfclCategory): readonly string[] {
  const old = category === 'simple_python' ? 'simple' : category.replace(/^simple_/, '');
  return [`BFCL_v4_${category}.json`, `BFCL_v3_${old}.json`];
}
