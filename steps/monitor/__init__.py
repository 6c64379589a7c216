"""Batches that a model has scored -> are their people like those of the training?"""
