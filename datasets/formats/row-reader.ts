import type { DataFormat, RejectedRow, Sample } from '../../contracts/sample.ts';
import { isRecord } from '../ground-truth.ts';
import { conversationSamples, sampleId, type Conversation } from './conversation.ts';
import { isFault, type Read } from './fields.ts';

/** What a row gives: its samples, or why there are none. Never throws: the row is untrusted. */
export type RowReader = (
  content: unknown,
  file: string,
  row: number,
) => readonly (Sample | RejectedRow)[];

/** A row of a format, by its fields. */
export type Row = { readonly [key: string]: unknown };

/**
 * The reader of a format whose rows are conversations, one sample for each turn of the assistant; or of one whose rows are
 * single tasks, where `isConversation` is false.
 */
export function conversationReader(
  format: DataFormat,
  read: (row: Row) => Read<Conversation>,
  isConversation = true,
): RowReader {
  return (content, file, row) => {
    if (!isRecord(content)) return [{ file, row, reason: 'is not an object' }];
    const conversation = read(content);
    if (isFault(conversation)) return [{ file, row, ...conversation }];
    const provenance = { format, source: file, row };
    const samples = conversationSamples(
      conversation.value,
      sampleId(format, row),
      provenance,
      isConversation,
    );
    return isFault(samples) ? [{ file, row, ...samples }] : samples.value;
  };
}
