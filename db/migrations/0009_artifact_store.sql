CREATE TABLE "artifact_store" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"mark_sha256" text NOT NULL,
	"mark_bytes" bigint NOT NULL,
	"marked_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "artifact_store_only" CHECK ("artifact_store"."only")
);
