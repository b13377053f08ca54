create table orders (id serial primary key, day date not null, amount numeric not null);
insert into orders (day, amount)
select date '2026-01-01' + n % 90, n % 500 from generate_series(1, 10000) as n;
