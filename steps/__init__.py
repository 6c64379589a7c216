"""Subject-wise classification of fear from multivariate time series, as an MLflow Project."""
