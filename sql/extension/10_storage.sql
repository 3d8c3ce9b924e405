-- Storage: the table access method

CREATE FUNCTION columnar_handler(internal) RETURNS table_am_handler
	AS 'MODULE_PATHNAME', 'ec_columnar_handler' LANGUAGE C;
COMMENT ON FUNCTION columnar_handler(internal) IS 'handler of the access method ecinsight_columnar';

CREATE ACCESS METHOD ecinsight_columnar TYPE TABLE HANDLER columnar_handler;
COMMENT ON ACCESS METHOD ecinsight_columnar IS 'compressed columnar tables';
