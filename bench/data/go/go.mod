module specv1

go 1.19
