-- Small notes by job, such as where its schedule stands.
CREATE TABLE memories (
    job bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    PRIMARY KEY (job, name)
);
