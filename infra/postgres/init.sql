-- One database for the journal, one for Prefect.
CREATE DATABASE secondread;
CREATE DATABASE prefect;
