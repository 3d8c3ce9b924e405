-- Servers and user mappings: which librdkafka properties may be set, where and by whom.
\set VERBOSITY default
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_ec_kafka, regress_ec_files;
RESET client_min_messages;
CREATE ROLE regress_ec_kafka;
CREATE ROLE regress_ec_files;
GRANT USAGE ON FOREIGN DATA WRAPPER ecinsight_kafka TO regress_ec_kafka, regress_ec_files;
GRANT pg_read_server_files TO regress_ec_files;

-- names and values are librdkafka's
CREATE SERVER k1 FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'localhost:9092', "socket.timeout.ms" '5000', "security.protocol" 'ssl');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka;
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" '');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "bootstrap.server" 'b');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "socket.timeout.ms" 'soon');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "socket.timeout.ms" '1');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "security.protocol" 'telnet');
ALTER SERVER k1 OPTIONS (DROP "bootstrap.servers");
ALTER SERVER k1 OPTIONS (SET "bootstrap.servers" 'localhost:9093', ADD "fetch.min.bytes" '1000');

-- what belongs to ecinsight
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "group.id" 'mine');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "enable.auto.commit" 'true');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "auto.offset.reset" 'latest');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("metadata.broker.list" 'a');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "queued.max.messages.kbytes" '1000');

-- secrets
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "sasl.password" 'secret');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "ssl.key.pem" 'secret');
CREATE USER MAPPING FOR regress_ec_kafka SERVER k1 OPTIONS ("sasl.username" 'me', "sasl.password" 'secret');
CREATE USER MAPPING FOR PUBLIC SERVER k1 OPTIONS ("bootstrap.servers" 'elsewhere:9092');
CREATE USER MAPPING FOR PUBLIC SERVER k1 OPTIONS (password 'secret');
ALTER USER MAPPING FOR regress_ec_kafka SERVER k1 OPTIONS (SET "sasl.password" 'new');

-- files, programs, libraries
SET ROLE regress_ec_kafka;
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "ssl.ca.location" '/etc/passwd');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "plugin.library.paths" '/tmp/evil.so');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "sasl.kerberos.kinit.cmd" 'id');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "linger.ms" '5');
CREATE SERVER k2 FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "ssl.ca.pem" 'text');
SET ROLE regress_ec_files;
CREATE SERVER k3 FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "ssl.ca.location" '/tmp/ca.pem');
CREATE SERVER bad FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" 'a', "plugin.library.paths" '/tmp/evil.so');
RESET ROLE;

-- nothing else takes options
ALTER FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS (ADD "bootstrap.servers" 'a');
CREATE FOREIGN TABLE ft (a int) SERVER k1 OPTIONS (topic 't');

DROP SERVER k1 CASCADE;
DROP SERVER k2, k3;
REVOKE ALL ON FOREIGN DATA WRAPPER ecinsight_kafka FROM regress_ec_kafka, regress_ec_files;
DROP ROLE regress_ec_kafka, regress_ec_files;
