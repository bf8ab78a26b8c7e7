"""The city as SensorThings: Things, Datastreams and Observations over the same entities and their history.

It decides what the words of the standard mean for entities and answers with
plain JSON values. It must never know HTTP: `web` reads requests and hands them in.

Source: OGC 18-088, SensorThings API Part 1: Sensing, version 1.1.
"""
