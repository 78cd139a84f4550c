PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE objects (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key));
INSERT INTO "objects" VALUES('Buyer','shoppers','{"ID": "shoppers", "Name": "Shoppers", "Active": true}');
COMMIT;
