-- What was learnt so far fades as it did: into the whole average, until the next visit.
ALTER TABLE "sample_statistics" ADD COLUMN "fades_to" double precision DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "importance_sums" ADD COLUMN "fades_to" double precision;--> statement-breakpoint
UPDATE "importance_sums" SET "fades_to" = "visited";--> statement-breakpoint
ALTER TABLE "importance_sums" ALTER COLUMN "fades_to" SET NOT NULL;
