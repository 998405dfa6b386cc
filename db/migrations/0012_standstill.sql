-- Of samples visited before this, the count begins with their next visit.
ALTER TABLE "sample_statistics" ADD COLUMN "still" integer DEFAULT 0 NOT NULL;
